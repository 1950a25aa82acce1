import type { NewView, PreparedCertificate } from '../../pbft/messages.js';
import type { SpeechChecker } from './speech-checker.js';
import type { Violations } from './violations.js';

/**
 * Every NEW-VIEW that a correct replica enters: from its primary, on VIEW-CHANGEs of q distinct replicas, with the order
 * that follows from them (paper §4.4). Computed here once more, and not as the core computes it.
 */
export class NewViewChecker {
  private readonly checked = new WeakSet<NewView>();

  constructor(
    private readonly n: number,
    private readonly q: number,
    private readonly nullDigest: string,
    private readonly speech: SpeechChecker,
    private readonly violations: Violations,
  ) {}

  /** @param self what this replica has just said itself may not be out yet. */
  check(who: string, self: number, message: NewView): void {
    if (this.checked.has(message)) return;
    this.checked.add(message);
    const { view, replica, viewChanges, prePrepares } = message;
    const fail = (what: string): void => {
      this.violations.add('certificates', `${who} enters view ${view} with a NEW-VIEW of replica ${replica} ${what}`);
    };
    if (replica !== view % this.n) fail('who is not its primary');
    const senders = new Set(viewChanges.map((viewChange) => viewChange.replica));
    if (senders.size < this.q) fail(`on VIEW-CHANGEs of ${senders.size} replicas`);
    if (viewChanges.some((viewChange) => viewChange.view !== view)) fail('on VIEW-CHANGEs for another view');
    for (const { stable, prepared, replica: sender } of viewChanges) {
      const what = `in the VIEW-CHANGE of replica ${sender} inside the NEW-VIEW for view ${view}`;
      if (stable.sequence > 0) {
        const others = stable.proof.filter(
          (checkpoint) => checkpoint.replica !== sender && checkpoint.replica !== self,
        );
        const signed = others.map((checkpoint) => ({ signer: checkpoint.replica }));
        const least = this.q - (stable.proof.length - others.length);
        this.speech.checkQuorum(signed, least, 'checkpoint', `${stable.sequence}`, stable.proof[0]?.digest ?? '', what);
      }
      for (const certificate of prepared) this.checkCertificate(certificate, self, what);
    }
    const due = this.orderOf(viewChanges);
    const said = prePrepares.map(({ sequence, digest }) => `${sequence}:${digest}`).join(' ');
    if (said !== due) fail('whose order does not follow from its VIEW-CHANGEs');
  }

  private checkCertificate({ prePrepare, prepares }: PreparedCertificate, self: number, what: string): void {
    const { view, sequence, digest } = prePrepare;
    const signed = prepares.map((prepare) => ({ signer: prepare.replica }));
    const place = `${view} ${sequence}`;
    this.speech.checkQuorum([{ signer: view % this.n }], 1, 'pre-prepare', place, digest, what, self);
    this.speech.checkQuorum(signed, this.q - 1, 'prepare', place, digest, what, self);
  }

  private orderOf(viewChanges: NewView['viewChanges']): string {
    const least = Math.max(...viewChanges.map(({ stable }) => stable.sequence));
    const certificates = viewChanges.flatMap(({ prepared }) => prepared.map(({ prePrepare }) => prePrepare));
    const most = Math.max(least, ...certificates.map(({ sequence }) => sequence));
    const order: string[] = [];
    for (let place = least + 1; place <= most; place++) {
      const here = certificates.filter(({ sequence }) => sequence === place).sort((a, b) => b.view - a.view);
      order.push(`${place}:${here[0]?.digest ?? this.nullDigest}`);
    }
    return order.join(' ');
  }
}
