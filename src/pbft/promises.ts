import type { PhaseMessage } from './messages.js';
import { sequence, type Digest, type SequenceNumber, type View } from './types.js';

/**
 * What this identity has said, by sequence number, kind and view: it never says anything else, not even after a restart
 * (rule 28). Kept until a stable checkpoint, wherever the window is: the log may have lost what the promises remember.
 */
export class Promises {
  private readonly byPlace = new Map<SequenceNumber, Map<string, Digest>>();
  /** The latest view in which anything was said there. */
  private readonly latest = new Map<SequenceNumber, View>();

  /** The first counts. */
  add(kind: PhaseMessage['kind'], view: View, place: SequenceNumber, digest: Digest): void {
    const said = this.byPlace.get(place) ?? new Map<string, Digest>();
    this.byPlace.set(place, said);
    if (view > (this.latest.get(place) ?? -1)) this.latest.set(place, view);
    const name = `${kind}:${view}`;
    if (!said.has(name)) said.set(name, digest);
  }

  /**
   * Whether saying this contradicts nothing: not what was said in this view, nor anything that was said there in a later one. A
   * replica that entered a view, and whose log was then lost, may find itself in a view below.
   */
  allow(kind: PhaseMessage['kind'], view: View, place: SequenceNumber, digest: Digest): boolean {
    if (this.hasSpokenLater(view, place)) return false;
    const said = this.byPlace.get(place)?.get(`${kind}:${view}`);
    return said === undefined || said === digest;
  }

  /** Whether this identity has said anything for this digest there in this view: it has found the proposal right. */
  vouchesFor(view: View, place: SequenceNumber, digest: Digest): boolean {
    const said = [...(this.byPlace.get(place) ?? [])];
    return said.some(([name, what]) => what === digest && name.endsWith(`:${view}`));
  }

  /** Whether anything was said there in a later view: then nothing may be said in this one. */
  hasSpokenLater(view: View, place: SequenceNumber): boolean {
    return view < (this.latest.get(place) ?? 0);
  }

  /** The last sequence number for which a message of this kind was said in `view`; 0 for none. */
  last(kind: PhaseMessage['kind'], view: View): SequenceNumber {
    const places = [...this.byPlace].filter(([, said]) => said.has(`${kind}:${view}`)).map(([place]) => place);
    return sequence(Math.max(0, ...places));
  }

  dropUpTo(last: SequenceNumber): void {
    for (const place of this.byPlace.keys()) {
      if (place > last) continue;
      this.byPlace.delete(place);
      this.latest.delete(place);
    }
  }
}
