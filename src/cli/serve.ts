import { onParentGone } from '../cluster/attached.js';
import { settlesWithin } from '../cluster/poll.js';

/** Something that runs until it is told to stop. */
export interface Service {
  /** Finishes what was accepted, within its deadlines, and lets go of everything. */
  stop(): Promise<void>;
}

export interface ServeOptions {
  /** End, too, when the process that started this one is gone. */
  readonly isAttached: boolean;
  /** Hears why it stops. */
  readonly report: (line: string) => void;
}

/** Less than `quorate up` and container engines wait before they kill. */
const STOP_TIMEOUT_MS = 8_000;

/** Starts a service and runs it until SIGTERM, SIGINT or, when attached, its parent's end; then stops it, in bounded time. */
export async function serve(start: () => Promise<Service>, options: ServeOptions): Promise<void> {
  const stopReason = new Promise<string>((settle) => {
    // They stay: npm sends each signal twice, and the second must not cut the stopping short.
    process.on('SIGTERM', settle);
    process.on('SIGINT', settle);
    if (options.isAttached) {
      onParentGone(() => {
        settle('the parent process is gone');
      });
    }
  });
  // Until it has started (founding a cluster may wait for others for ever) there is nothing to finish.
  const service = await Promise.race([start(), stopReason]);
  if (typeof service === 'string') return;
  const reason = await stopReason;
  options.report(`stopping: ${reason}`);
  if (!(await settlesWithin(service.stop(), STOP_TIMEOUT_MS)))
    options.report('did not stop in time; ending all the same');
}
