import { useState, type ReactElement } from 'react';
import { classes } from '../ui/classes.js';
import styles from './cover.module.css';
import { drawCover } from './drawing.js';

interface CoverProps {
  readonly story: {
    readonly slug: string;
    readonly title: string;
    readonly language: string;
    readonly coverUrl?: string | null;
    readonly coverColor?: string | null;
  };
  /** Without a title, where it would be too small to read. */
  readonly small?: boolean;
}

/** The cover of a story. The title stands beside it, so screen readers leave it out. */
export function Cover({ story, small = false }: CoverProps): ReactElement {
  const { title, language, coverUrl, coverColor } = story;
  const [failed, setFailed] = useState(false);
  const drawing = drawCover(story.slug);
  return (
    <div className={classes(styles.cover, small && styles.small)} aria-hidden="true">
      <svg viewBox="0 0 300 400" className={styles.drawing} focusable="false">
        <path d="M0 0H300V400H0Z" fill={drawing.background} />
        {drawing.shapes.map(({ path, fill }, index) => (
          <path key={index} d={path} fill={fill} />
        ))}
      </svg>
      {!small && (
        <span className={styles.title} style={{ color: drawing.ink }} lang={language}>
          {title}
        </span>
      )}
      {coverUrl != null && !failed && (
        <>
          {coverColor != null && (
            // Over the drawing, which would be seen for a moment before the image. React sets it by script, so that the
            // content security policy allows it.
            <div className={styles.image} style={{ backgroundColor: coverColor }} />
          )}
          <img
            className={styles.image}
            src={coverUrl}
            alt=""
            loading="lazy"
            decoding="async"
            onError={() => setFailed(true)}
          />
        </>
      )}
    </div>
  );
}
