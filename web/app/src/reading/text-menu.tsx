import { ALargeSmall } from 'lucide-react';
import { useId, type ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { IconButton } from '../ui/icon-button.js';
import menu from '../frame/menu.module.css';
import { ReadingSettings } from './reading-settings.js';

export function TextMenu(): ReactElement {
  const id = useId();
  return (
    <>
      <IconButton icon={ALargeSmall} name={m.reading_title()} popoverTarget={id} />
      <div id={id} popover="auto" className={menu.menu} role="group" aria-label={m.reading_title()}>
        <ReadingSettings />
      </div>
    </>
  );
}
