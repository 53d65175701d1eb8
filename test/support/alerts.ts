import { parse, stringify } from 'yaml';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/** An alert as its file has it. */
export interface Alert {
  readonly name: string;
  readonly severity: string;
  readonly summary: string;
  readonly runbook: string;
}

export const readAlerts = (rules: string): Alert[] =>
  (parse(rules) as RuleFile).groups.flatMap((group) =>
    group.rules.map(({ alert, labels, annotations }) => ({
      name: alert,
      severity: labels.severity,
      summary: annotations.summary,
      runbook: annotations.runbook_url,
    })),
  );

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** A range needs some scrapes. */
const RANGE_SECONDS_MIN = 5;

/**
 * The same rules with a minute for each hour: ranges, offsets of less than a day and `for` are a sixtieth as long, and a
 * range has at least five seconds. Thresholds stay, also those of ages, and so do offsets of days, for which a test gives
 * Prometheus a history. Every hour counts as one of the first day of a month, and a day
 * begins 24 hours ago, so that the alert about that day can fire on all others. The rules are evaluated each second.
 */
export function shortenRules(rules: string): string {
  const shortened = (duration: string, least = 0): string => {
    const seconds = Number(duration.slice(0, -1)) * (SECONDS[duration.slice(-1)] ?? NaN);
    return `${String(Math.max(least, Math.ceil(seconds / 60)))}s`;
  };
  const { groups } = parse(rules) as RuleFile;
  return stringify({
    groups: groups.map(({ name, rules: all }) => ({
      name,
      interval: '1s',
      rules: all.map((rule) => ({
        ...rule,
        expr: rule.expr
          .replaceAll(
            /\[(\d+[smhd])\]/g,
            (_, range: string) => `[${shortened(range, RANGE_SECONDS_MIN)}]`,
          )
          .replaceAll('day_of_month() == 1', 'day_of_month() >= 1')
          .replaceAll('hour() >= 1', 'hour() >= 0')
          .replaceAll('time() - time() % 86400', 'time() - 86400')
          .replaceAll(/offset (\d+[smh])/g, (_, by: string) => `offset ${shortened(by)}`),
        ...(rule.for === undefined ? {} : { for: shortened(rule.for) }),
      })),
    })),
  });
}
