import { LocateFixed } from 'lucide-react';
import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import styles from './back-to-narrator.module.css';

export const BackToNarrator = ({ onPress }: { onPress: () => void }): ReactElement => (
  <div className={styles.place}>
    <Button kind="primary" onClick={onPress}>
      <LocateFixed size={20} strokeWidth={1.75} aria-hidden />
      {m.player_back_to_narrator()}
    </Button>
  </div>
);
