/** The server's commands, which VS Code's palette gives no arguments: they come from the editor and from questions. */
import { EventEmitter, type TextDocumentContentProvider, Uri, ViewColumn, window, workspace } from "vscode";
import type { Middleware } from "vscode-languageclient/node";

type Arguments = unknown[] | undefined;

/** Texts that commands give, as read-only documents `deeplab:/TITLE`; the same title is shown anew. */
export class Texts implements TextDocumentContentProvider {
  private readonly texts = new Map<string, string>();
  private readonly changed = new EventEmitter<Uri>();
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  async show(title: string, text: string): Promise<void> {
    const uri = Uri.from({ scheme: "deeplab", path: `/${title}` });
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
    await window.showTextDocument(uri, { viewColumn: ViewColumn.Beside, preview: true, preserveFocus: true });
  }
}

async function otherFile(): Promise<string | undefined> {
  const chosen = await window.showOpenDialog({ title: "Compare with", filters: { Prototxt: ["prototxt", "pbtxt"] } });
  return chosen?.[0]?.toString();
}

async function revision(): Promise<string | undefined> {
  return window.showInputBox({ prompt: "Compare with the version of this commit", value: "HEAD" });
}

/** What a command asks for besides the file. */
const QUESTIONS: Record<string, () => Promise<string | undefined>> = {
  "deeplab.diff": otherFile,
  "deeplab.diffCommitted": revision,
};

async function argumentsOf(command: string): Promise<Arguments> {
  const editor = window.activeTextEditor;
  if (editor?.document.languageId !== "prototxt") {
    void window.showInformationMessage("Open a prototxt file first.");
    return undefined;
  }
  const file = editor.document.uri.toString();
  if (!(command in QUESTIONS)) return command === "deeplab.picture" ? [file, editor.selection.active] : [file];
  const answer = await QUESTIONS[command]();
  return answer === undefined ? undefined : [file, answer];
}

/** Runs a command of the server with its arguments, and shows what it gives: a text, or a file. */
export function runner(texts: Texts): Middleware["executeCommand"] {
  return async (command, given, next) => {
    const called = typeof given[0] === "string"; // by another extension; a button gives a Uri, the palette nothing
    const words: Arguments = called ? given : await argumentsOf(command);
    if (words === undefined) return undefined;
    const result: unknown = await next(command, words);
    if (called || typeof result !== "string") return result;
    const name = workspace.asRelativePath(Uri.parse(String(words[0])));
    if (command === "deeplab.inspect") await texts.show(`${name} (inspect)`, result);
    else if (command in QUESTIONS) await texts.show(`${name} (diff)`, result);
    else if (command === "deeplab.deploy") await window.showTextDocument(Uri.parse(result), { viewColumn: ViewColumn.Beside });
    return result;
  };
}
