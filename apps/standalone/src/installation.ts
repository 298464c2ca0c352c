/** What stops one started part. */
export type Stop = () => Promise<void>;

/** Parts in the order they started; they stop in the opposite one. */
export class Installation {
  private readonly parts: { readonly name: string; readonly stop: Stop }[] = [];
  private stopping: Promise<void> | null = null;

  constructor(private readonly say: (line: string) => void) {}

  /** Says what starts, starts it, and remembers how it stops. */
  async start<T>(name: string, part: () => Promise<T>, stop: (started: T) => Promise<void>): Promise<T> {
    if (this.stopping) throw new Error("stopping");
    this.say(`… ${name}`);
    const started = await part();
    this.parts.push({ name, stop: () => stop(started) });
    return started;
  }

  /** Stops everything once, however often it is asked; a part that fails to stop does not keep the others. */
  stop(): Promise<void> {
    this.stopping ??= this.stopParts();
    return this.stopping;
  }

  private async stopParts(): Promise<void> {
    for (let part = this.parts.pop(); part; part = this.parts.pop()) {
      try {
        await part.stop();
      } catch (error) {
        this.say(`${part.name} did not stop cleanly: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}
