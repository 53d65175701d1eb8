/**
 * The topics. The database's triggers write the first three. `audios` are all narrations of a user, and `standing` is a
 * user's sessions, role and suspension.
 */
export const topics = {
  audio: (userId: string, audioId: string): string => `audio ${userId} ${audioId}`,
  credits: (userId: string): string => `credits ${userId}`,
  notices: (userId: string): string => `notices ${userId}`,
  audios: (userId: string): string => `audios ${userId}`,
  standing: (userId: string): string => `standing ${userId}`,
  /** The narration that a topic is about, and its user. Null for a topic of something else. */
  audioOf: (topic: string): { userId: string; audioId: string } | null => {
    const [kind, userId, audioId] = topic.split(' ');
    return kind === 'audio' && userId !== undefined && audioId !== undefined
      ? { userId, audioId }
      : null;
  },
};
