/** The language client of `deeplab prototxt serve`, for files of Caffe. */
import { commands, type ExtensionContext, type TextEditorSelectionChangeEvent, window, workspace } from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { runner, Texts } from "./commands";
import { explain, serverPath } from "./server";

let client: LanguageClient | undefined;

async function start(texts: Texts): Promise<void> {
  const command = serverPath();
  if (command === undefined) return explain("The program 'deeplab', which this extension talks to, was not found.");
  const settings = workspace.getConfiguration("deeplab");
  const args = ["prototxt", "serve"];
  if (workspace.isTrusted && settings.get("allowPythonLayers")) args.push("--allow-python-layers");
  client = new LanguageClient("deeplab", "DeepLab prototxt", { command, args }, {
    documentSelector: [{ language: "prototxt", scheme: "file" }, { language: "prototxt", scheme: "untitled" }],
    middleware: {
      executeCommand: runner(texts),
      provideInlayHints: (document, range, token, next) =>
        workspace.getConfiguration("deeplab").get("inlayHints", true) ? next(document, range, token) : [],
    },
  });
  await client.start().catch(() => explain(`${command} did not start as a language server.`));
}

async function stop(): Promise<void> {
  const stopped = client;
  client = undefined;
  await stopped?.dispose().catch(() => undefined); // one that failed to start has nothing to stop
}

/** Tells the server where the cursor is: the net's picture follows it. */
function follow({ textEditor: { document }, selections: [{ active }] }: TextEditorSelectionChangeEvent): void {
  if (document.languageId !== "prototxt" || !client?.isRunning()) return;
  void client.sendNotification("deeplab/cursor", { textDocument: { uri: document.uri.toString() }, position: active });
}

export async function activate(context: ExtensionContext): Promise<void> {
  const texts = new Texts();
  const restart = async () => {
    await stop();
    await start(texts);
  };
  context.subscriptions.push(
    workspace.registerTextDocumentContentProvider("deeplab", texts),
    commands.registerCommand("deeplab.restart", restart),
    window.onDidChangeTextEditorSelection(follow),
    workspace.onDidGrantWorkspaceTrust(restart),
    workspace.onDidChangeConfiguration(async (change) => {
      if (["path", "allowPythonLayers", "inlayHints"].some((name) => change.affectsConfiguration(`deeplab.${name}`))) {
        await restart();
      }
    }),
  );
  await start(texts);
}

export async function deactivate(): Promise<void> {
  await stop();
}
