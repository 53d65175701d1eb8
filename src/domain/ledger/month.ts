/** A calendar month in UTC. */
export interface Month {
  /** yyyy-mm. */
  readonly period: string;
  /** The first instant of the next month. */
  readonly endsAt: Date;
}

export const monthOf = (at: Date): Month => ({
  period: at.toISOString().slice(0, 7),
  endsAt: new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1)),
});
