/** What must never happen, by what notices it. */
export type Checker =
  | 'agreement'
  | 'validity'
  | 'exactly-once'
  | 'certificates'
  | 'linearizability'
  | 'durability'
  | 'state-digests'
  | 'bounds'
  | 'promises'
  | 'persistence'
  | 'views'
  | 'liveness'
  | 'failure';

export interface Violation {
  readonly checker: Checker;
  readonly what: string;
}

/** Takes down what the checkers find. The first ends the run. */
export class Violations {
  first: Violation | undefined;

  add(checker: Checker, what: string): void {
    this.first ??= { checker, what };
  }
}
