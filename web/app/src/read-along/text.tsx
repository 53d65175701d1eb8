import { memo, useMemo, type KeyboardEvent, type MouseEvent, type ReactElement } from 'react';
import { player } from '../player/player.js';
import type { Sentence } from '../player/logic/timeline.js';
import { styleOf, useReading } from '../reading/settings.js';
import { classes } from '../ui/classes.js';
import { useActiveSentence, useActiveWord } from './active.js';
import { paragraphsOf, type Paragraph, type Part } from './paragraphs.js';
import styles from './text.module.css';

interface TextProps {
  readonly content: string;
  readonly language: string;
  /** Empty where the text is only read. */
  readonly sentences: readonly Sentence[];
  readonly large?: boolean;
}

/** A story as text. With sentences, the spoken one is marked, and each can be pressed to hear it. */
export function StoryText({
  content,
  language,
  sentences,
  large = false,
}: TextProps): ReactElement {
  const reading = useReading();
  const active = useActiveSentence(sentences);
  const paragraphs = useMemo(() => paragraphsOf(content, sentences), [content, sentences]);
  const hear = (target: EventTarget): void => {
    const sentence = sentences[indexOf(target)];
    if (sentence === undefined) return;
    player.seek(sentence.startMs);
    player.play();
  };
  const onClick = ({ target }: MouseEvent): void => {
    // A listener who selects words to copy them does not want to move to that sentence.
    if (getSelection()?.isCollapsed !== false) hear(target);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const index = indexOf(event.target);
    if (index < 0) return;
    if (event.key === 'Enter' || event.key === ' ') hear(event.target);
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp')
      focusSentence(event.currentTarget, index + (event.key === 'ArrowDown' ? 1 : -1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // The sentences inside are the controls. They are many, so one listener serves them all.
    <div
      className={classes(styles.text, large && styles.large)}
      style={styleOf(reading)}
      lang={language}
      dir="auto"
      onClick={onClick}
      onKeyDown={onKeyDown}
    >
      {paragraphs.map((paragraph) => (
        <Block
          key={paragraph.from}
          content={content}
          paragraph={paragraph}
          sentences={sentences}
          active={has(paragraph, active) ? active : -1}
          reachable={Math.max(0, active)}
        />
      ))}
    </div>
  );
}

const has = ({ parts }: Paragraph, sentence: number): boolean =>
  sentence >= 0 && parts.some((part) => part.sentence === sentence);

const indexOf = (target: EventTarget): number =>
  Number(
    (target as HTMLElement).closest<HTMLElement>('[data-sentence]')?.dataset['sentence'] ?? -1,
  );

const focusSentence = (text: Element, index: number): void =>
  text.querySelector<HTMLElement>(`[data-sentence="${index}"]`)?.focus();

interface BlockProps {
  readonly content: string;
  readonly paragraph: Paragraph;
  readonly sentences: readonly Sentence[];
  /** The spoken sentence, if it is in this paragraph. */
  readonly active: number;
  /** The sentence that the Tab key reaches. */
  readonly reachable: number;
}

/** Drawn anew only when the spoken sentence comes or goes. */
const Block = memo(
  ({ content, paragraph, sentences, active, reachable }: BlockProps): ReactElement => (
    <p className={styles.paragraph}>
      {paragraph.parts.map((part) =>
        part.sentence < 0 ? (
          content.slice(part.from, part.to)
        ) : (
          <span
            key={part.from}
            role="button"
            tabIndex={part.sentence === reachable ? 0 : -1}
            data-sentence={part.sentence}
            aria-current={part.sentence === active ? 'true' : undefined}
            className={classes(styles.sentence, part.sentence === active && styles.active)}
          >
            {part.sentence === active ? (
              <Words content={content} part={part} sentence={sentences[active]} />
            ) : (
              content.slice(part.from, part.to)
            )}
          </span>
        ),
      )}
    </p>
  ),
  (before, after) =>
    before.paragraph === after.paragraph &&
    before.active === after.active &&
    (before.reachable === after.reachable ||
      (!has(before.paragraph, before.reachable) && !has(after.paragraph, after.reachable))),
);
Block.displayName = 'Block';

interface WordsProps {
  readonly content: string;
  readonly part: Part;
  readonly sentence: Sentence | undefined;
}

function Words({ content, part, sentence }: WordsProps): ReactElement {
  const word = useActiveWord(sentence);
  if (word === undefined || word.from < part.from || word.to > part.to)
    return <>{content.slice(part.from, part.to)}</>;
  return (
    <>
      {content.slice(part.from, word.from)}
      <span className={styles.word}>{content.slice(word.from, word.to)}</span>
      {content.slice(word.to, part.to)}
    </>
  );
}
