import type { Membership } from '../../crypto/membership.js';
import type { Violations } from './violations.js';

interface Asked {
  readonly view: number;
  /** It lay more than one above what peers would tell of then: when the folder is gone nobody can recall it (rule 28). */
  readonly isBeyondRecall: boolean;
}

/** Which views correct replicas have asked for, in all of their lives. */
export class AskedViews {
  private readonly asked = new Map<number, readonly Asked[]>();
  /** The highest view that each replica is known to be in, or to have asked for. */
  private readonly reached = new Map<number, number>();
  /** They have lost their promises, and go by what others told them. */
  private readonly forgetful = new Set<number>();
  /** What was asked for beyond recall, and forgotten since. */
  private readonly excused = new Set<string>();
  private highest = 0;

  constructor(
    private readonly membership: Membership,
    private readonly violations: Violations,
    private readonly isCorrect: (replica: number) => boolean,
  ) {}

  /** The highest view that it has asked for, and should know of. */
  of(replica: number): number {
    return Math.max(0, ...(this.asked.get(replica) ?? []).map(({ view }) => view));
  }

  /** Rule 17: nobody is moved to a far-off view but by f+1, hence by a correct replica that asked for it. */
  onAsked(replica: number, view: number): void {
    if (view > this.highest + 1 && !this.forgetful.has(replica)) {
      const what = `replica ${replica} asks for view ${view}; no correct one for more than ${this.highest}`;
      this.violations.add('views', what);
    }
    const isBeyondRecall = view > this.toldOf(replica) + 1;
    this.asked.set(replica, [...(this.asked.get(replica) ?? []), { view, isBeyondRecall }]);
    this.highest = Math.max(this.highest, view);
    this.onReached(replica, view);
  }

  onReached(replica: number, view: number): void {
    this.reached.set(replica, Math.max(view, this.reached.get(replica) ?? 0));
  }

  onPromisesLost(replica: number): void {
    this.forgetful.add(replica);
    const all = this.asked.get(replica) ?? [];
    for (const { view, isBeyondRecall } of all) if (isBeyondRecall) this.excused.add(`${replica} ${view}`);
    this.asked.set(
      replica,
      all.filter(({ isBeyondRecall }) => !isBeyondRecall),
    );
  }

  /** Whether it cannot know any more what it said when it asked for this view. */
  isExcused(replica: number, view: number): boolean {
    return this.excused.has(`${replica} ${view}`);
  }

  /**
   * The least that a replica without a folder hears as the highest view of its peers. Of the q that a view takes, itself and the
   * Byzantine ones may be silent about it.
   */
  private toldOf(replica: number): number {
    const { n, q } = this.membership;
    const peers = Array.from({ length: n }, (_, index) => index).filter((index) => index !== replica);
    const correct = peers.filter((index) => this.isCorrect(index));
    const reached = correct.map((index) => this.reached.get(index) ?? 0).sort((a, b) => b - a);
    return reached[q - 2 - (peers.length - correct.length)] ?? 0;
  }
}
