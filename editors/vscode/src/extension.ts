/** The language client of `deeplab prototxt serve`, for files of Caffe. */
import { commands, type ExtensionContext, type TextEditorSelectionChangeEvent, window, workspace } from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { runner, Texts } from "./commands";
import { closePictures, pictures } from "./picture";
import { explain, serverPath } from "./server";

let client: LanguageClient | undefined;

/** The settings as the server reads them; code of a workspace is run only where that is trusted. */
function settings(): object {
  const own = workspace.getConfiguration("deeplab");
  return { ...own, allowPythonLayers: workspace.isTrusted && own.get("allowPythonLayers") };
}

async function start(texts: Texts): Promise<void> {
  const command = serverPath();
  if (command === undefined) return explain("The program 'deeplab' was not found.");
  client = new LanguageClient("deeplab", "DeepLab prototxt", { command, args: ["prototxt", "serve"] }, {
    documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "prototxt" })),
    initializationOptions: settings,
    middleware: { executeCommand: runner(texts), window: pictures },
  });
  await client.start().catch(() => explain(`${command} did not start as a language server.`));
}

async function stop(): Promise<void> {
  const stopped = client;
  client = undefined;
  closePictures();
  await stopped?.dispose().catch(() => undefined); // one that failed to start has nothing to stop
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
