/** DRAFT before it is published, and REMOVED after it was deleted. */
export type StoryState = 'DRAFT' | 'PUBLISHED' | 'REMOVED';

/** A story without its text, which is read only on demand. */
export interface Story {
  readonly id: string;
  readonly slug: string;
  readonly title: string;
  readonly author: string;
  readonly language: string;
  readonly description: string | null;
  readonly coverUrl: string | null;
  /** As `#rrggbb`, in lower case. */
  readonly coverColor: string | null;
  /** Pixels. */
  readonly coverWidth: number | null;
  readonly coverHeight: number | null;
  /** In years. Null where there is no bound. */
  readonly ageFrom: number | null;
  readonly ageTo: number | null;
  /** In lower case, without duplicates. */
  readonly tags: readonly string[];
  readonly published: boolean;
  /** Whether recordings begin with the title and the author. */
  readonly announced: boolean;
  readonly textHash: string;
  /** Unicode code points. */
  readonly characterCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly state: StoryState;
  /** What the order by title compares. */
  readonly titleKey: string;
}
