/** The net's picture beside its text, where it can be seen to follow the cursor. */
import * as path from "node:path";
import { env, Uri, ViewColumn, type WebviewPanel, window } from "vscode";
import type { Middleware } from "vscode-languageclient/node";

/** The panels that are open, by the server's address of what they show. */
const panels = new Map<string, WebviewPanel>();

function open(address: string, title: string): WebviewPanel {
  const place = { viewColumn: ViewColumn.Beside, preserveFocus: true };
  const panel = window.createWebviewPanel("deeplab.picture", title, place, { enableScripts: true, retainContextWhenHidden: true });
  panels.set(address, panel);
  panel.onDidDispose(() => panels.delete(address));
  return panel;
}

async function show(page: Uri): Promise<void> {
  const shown = panels.get(page.toString());
  if (shown) return shown.reveal(undefined, true);
  const panel = open(page.toString(), `Picture of ${path.basename(window.activeTextEditor?.document.fileName ?? "the net")}`);
  const here = await env.asExternalUri(page.with({ path: "/" })); // the server may be on another machine
  const address = here.with({ path: here.path.replace(/\/$/, "") + page.path });
  panel.webview.html = `<!DOCTYPE html>
    <meta http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; frame-src ${here.scheme}://${here.authority}">
    <style>html, body, iframe { border: 0; display: block; height: 100%; margin: 0; padding: 0; width: 100% }</style>
    <iframe src="${address}"></iframe>`;
}

/** Shows a page of the server in a panel; other documents as VS Code does. */
export const pictures: NonNullable<Middleware["window"]> = {
  async showDocument(shown, token, next) {
    const page = Uri.parse(shown.uri);
    if (!shown.external || page.scheme !== "http") return next(shown, token);
    await show(page);
    return { success: true };
  },
};

/** Closes the panels: their server has ended. */
export function closePictures(): void {
  for (const panel of [...panels.values()]) panel.dispose();
}
