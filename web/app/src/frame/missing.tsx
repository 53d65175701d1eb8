import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { Notice } from '../ui/notice.js';
import { useTitle } from '../ui/title.js';

export function Missing(): ReactElement {
  useTitle(m.frame_missing_title());
  return (
    <Notice
      title={m.frame_missing_title()}
      text={m.frame_missing_text()}
      link={{ href: paths.library, name: m.frame_to_library() }}
    />
  );
}
