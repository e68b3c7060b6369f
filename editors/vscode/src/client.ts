/** The client of one server. */
import { type ChildProcess, spawn } from "node:child_process";
import { workspace } from "vscode";
import { CloseAction, ErrorAction, LanguageClient, type LanguageClientOptions } from "vscode-languageclient/node";

/** Starts a server; where that fails, the server's own words are what the user reads, not what the protocol saw of it. */
export class Client extends LanguageClient {
  private ready = false;

  private constructor(run: () => Promise<ChildProcess>, options: LanguageClientOptions) {
    super("deeplab", "DeepLab prototxt", run, options);
    const later = this.createDefaultErrorHandler();
    this.clientOptions.errorHandler = {
      error: (...what) => (this.ready ? later.error(...what) : { action: ErrorAction.Continue, handled: true }),
      closed: () => (this.ready ? later.closed() : { action: CloseAction.DoNotRestart, handled: true }),
    };
  }

  /** A running client; rejects with the last line that the server wrote to its standard error. */
  static async running(command: string, options: LanguageClientOptions): Promise<Client> {
    let said = "";
    let ended: Promise<unknown> = Promise.resolve();
    let server: ChildProcess | undefined;
    const run = async (): Promise<ChildProcess> => {
      const started = spawn(command, ["prototxt", "serve"], { cwd: workspace.workspaceFolders?.[0]?.uri.fsPath });
      started.stderr.on("data", (text) => (said = `${said}${text}`.slice(-1000)));
      ended = new Promise((resolve) => started.once("error", resolve).once("close", resolve));
      return (server = started);
    };
    const client = new Client(run, { ...options, initializationFailedHandler: () => false });
    try {
      await client.start();
    } catch {
      server?.kill();
      await ended; // and has said all
      throw new Error(said.trim().split("\n").pop() || `${command} did not start as a language server.`);
    }
    client.ready = true;
    return client;
  }

  override error(message: string, data?: unknown, show?: boolean | "force"): void {
    super.error(message, data, this.ready ? show : false);
  }
}
