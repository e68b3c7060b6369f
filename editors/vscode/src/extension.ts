/** The language client of `deeplab prototxt serve`, for files of Caffe. */
import { commands, type ExtensionContext, type TextEditorSelectionChangeEvent, window, workspace } from "vscode";
import { Client } from "./client";
import { runner, Texts } from "./commands";
import { closePictures, pictures } from "./picture";
import { explain, NOT_FOUND, serverPath } from "./server";

let client: Client | undefined;

/** The settings as the server reads them; code of a workspace is run only where that is trusted. */
function settings(): object {
  const own = workspace.getConfiguration("deeplab");
  return { ...own, allowPythonLayers: workspace.isTrusted && own.get("allowPythonLayers") };
}

async function start(texts: Texts): Promise<void> {
  const command = serverPath();
  if (command === undefined) return explain(NOT_FOUND);
  try {
    client = await Client.running(command, {
      documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "prototxt" })),
      initializationOptions: settings,
      middleware: { executeCommand: runner(texts), window: pictures },
    });
  } catch (error) {
    await explain((error as Error).message);
  }
}

async function stop(): Promise<void> {
  const stopped = client;
  client = undefined;
  closePictures();
  await stopped?.dispose();
}

/** Tells the server where the cursor is: the net's picture follows it. */
function follow({ textEditor: { document }, selections: [{ active }] }: TextEditorSelectionChangeEvent): void {
  if (document.languageId !== "prototxt" || !client?.isRunning()) return;
  void client.sendNotification("deeplab/cursor", { textDocument: { uri: document.uri.toString() }, position: active });
}

export async function activate(context: ExtensionContext): Promise<void> {
  const texts = new Texts();
  const restart = async (): Promise<void> => {
    await stop();
    await start(texts);
  };
  context.subscriptions.push(
    workspace.registerTextDocumentContentProvider("deeplab", texts),
    commands.registerCommand("deeplab.restart", restart),
    window.onDidChangeTextEditorSelection(follow),
    workspace.onDidGrantWorkspaceTrust(restart),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("deeplab") && !change.affectsConfiguration("deeplab.trace")) void restart();
    }),
  );
  await start(texts);
}

export const deactivate = stop;
