/** Where the server's command is, and what to say where it is missing. */
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import { commands, env, window, workspace } from "vscode";

const INSTALL = 'pip install "deeplab-caffe[editor]"';
const WINDOWS = process.platform === "win32";

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A program by its path, or by its name in the folders of PATH. */
function find(program: string): string | undefined {
  const folders = path.basename(program) === program ? (process.env.PATH ?? "").split(path.delimiter) : [""];
  const ends = WINDOWS ? [".exe", ".cmd", ""] : [""];
  return folders.flatMap((folder) => ends.map((end) => path.join(folder, program + end))).find(isProgram);
}

/** The setting `deeplab.path`, else the one of the workspace's .venv (only where it is trusted), else the one of PATH. */
export function serverPath(): string | undefined {
  const setting = workspace.getConfiguration("deeplab").get("path", "").trim();
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  if (setting) return find(setting.replace("${workspaceFolder}", folder).replace(/^~(?=[/\\])/, homedir()));
  const own = path.join(folder, ".venv", WINDOWS ? "Scripts/deeplab.exe" : "bin/deeplab");
  return workspace.isTrusted && folder && isProgram(own) ? own : find("deeplab");
}

export const NOT_FOUND = `The program "deeplab" was not found: ${INSTALL}, or set "deeplab.path".`;

/** An error with the two ways out: copy the line that installs the server, or open the setting of its path. */
export async function explain(problem: string): Promise<void> {
  const [copy, settings] = ["Copy the install command", "Open the setting"];
  const chosen = await window.showErrorMessage(
    `${problem} Then run "Prototxt: Restart the Server".`,
    copy,
    settings,
  );
  if (chosen === copy) await env.clipboard.writeText(INSTALL);
  if (chosen === settings) await commands.executeCommand("workbench.action.openSettings", "deeplab.path");
}
