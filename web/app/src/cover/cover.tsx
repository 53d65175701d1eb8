import { useState, type ReactElement } from 'react';
import { classes } from '../ui/classes.js';
import styles from './cover.module.css';
import { drawCover } from './drawing.js';

interface CoverProps {
  readonly slug: string;
  readonly title: string;
  readonly url: string | null | undefined;
  readonly language?: string;
  /** Without a title, where it would be too small to read. */
  readonly small?: boolean;
}

/** The cover of a story. The title stands beside it, so screen readers leave it out. */
export function Cover({ slug, title, url, language, small = false }: CoverProps): ReactElement {
  const [failed, setFailed] = useState(false);
  const drawing = drawCover(slug);
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
      {url != null && !failed && (
        <img
          className={styles.image}
          src={url}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setFailed(true)}
        />
      )}
    </div>
  );
}
