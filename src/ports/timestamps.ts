/** Gives out a client's timestamps: each once, ascending, over restarts too. */
export interface Timestamps {
  next(): number;
}
