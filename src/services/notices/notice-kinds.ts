/** The kinds of notices. */
export const NOTICE_KINDS = [
  'POINTS_LOW',
  'POINTS_LAPSE',
  'POINTS_GRANTED',
  'NARRATION_READY',
  'NARRATION_FAILED',
] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Whether a stored text is a kind that this release knows. A later release may have written others. */
export const isNoticeKind = (kind: string): kind is NoticeKind =>
  NOTICE_KINDS.some((known) => known === kind);
