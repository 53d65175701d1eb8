import {
  dashboard,
  graph,
  line,
  number,
  percentiles,
  rate,
  recent,
  row,
  series,
  share,
  shared,
  total,
  summed,
} from './builder.mjs';

const narrations = (...matchers) => series('narrations_total', ...matchers);
const ordered = series('ledger_commands_total', 'command="debit"', 'result="ok"');
const waiting = shared(series('audios', 'status=~"QUEUED|PROCESSING"'), 'status');

export default dashboard({
  uid: 'listeners',
  title: 'listeners',
  description: 'What listeners ask for, what they get, and how long they wait for the first sound.',
  rows: [
    row(
      'Now',
      number(
        'Narrations asked for',
        'Narrations that were paid for in the chosen period.',
        total(ordered),
      ),
      number(
        'Made',
        'Narrations that became ready in the chosen period.',
        total(narrations('result="made"')),
      ),
      number(
        'Failed',
        'Narrations that failed in the chosen period. Their points are refunded. More than one in twenty is bad.',
        share(total(narrations('result="failed"')), total(narrations('result=~"made|failed"'))),
        { unit: 'percentunit', limits: [0.01, 0.05], runbook: 'narrations-failing' },
      ),
      number(
        'Waiting',
        'Narrations that are queued or are being made. A number that only grows means that workers are too few or stand still.',
        summed(waiting),
        { limits: [50, 500], runbook: 'queue-age' },
      ),
      number(
        'First sound, p95',
        'Nineteen of twenty listeners hear the first sentence within this time after their request.',
        percentiles(series('narration_first_sound_seconds_bucket'))[1].expr,
        { unit: 's', limits: [5, 15], runbook: 'queue-age' },
      ),
      number(
        'Open subscriptions',
        'Subscriptions, and streams of narrations that are being made, in all processes.',
        summed(series('subscriptions')),
      ),
    ),
    row(
      'Narrations',
      graph(
        'Asked for, made, failed',
        'Narrations a second: paid for by listeners, made, shared with an earlier listener at once, failed, and cancelled. Made and shared together must follow what is asked for.',
        [line(rate(ordered), 'asked for'), line(rate(narrations(), 'result'), '{{result}}')],
        { unit: 'ops', runbook: 'narrations-failing' },
      ),
      graph(
        'Not finished',
        'Unfinished narrations by status. QUEUED is waiting for a worker, PROCESSING is being spoken.',
        [line(waiting, '{{status}}')],
        { isStacked: true, runbook: 'queue-age' },
      ),
      graph(
        'Share of failures',
        'Failed narrations as a share of all that ended. Above 5 % look at the speech provider first.',
        [
          line(
            share(
              recent(narrations('result="failed"')),
              recent(narrations('result=~"made|failed"')),
            ),
            'failed',
          ),
        ],
        { unit: 'percentunit', limits: [0.01, 0.05], runbook: 'narrations-failing' },
      ),
    ),
    row(
      'Waiting times',
      graph(
        'From the request to the first sound',
        'The time until the first sentence can be heard. It has the wait for a worker and the first sentence of the provider.',
        percentiles(series('narration_first_sound_seconds_bucket')),
        { unit: 's', limits: [5, 15], runbook: 'queue-age' },
      ),
      graph(
        'From a worker to READY',
        'The time that workers need for a whole narration.',
        percentiles(series('narration_duration_seconds_bucket')),
        { unit: 's' },
      ),
      graph(
        'Age of the oldest waiting narration',
        'How long the oldest narration that is due has not been taken by a worker.',
        [
          line(
            shared(series('queue_oldest_waiting_seconds', 'queue="synthesize-audio"')),
            'synthesize-audio',
          ),
        ],
        { unit: 's', limits: [60, 300], runbook: 'queue-age' },
      ),
    ),
    row(
      'Accounts and mail',
      graph(
        'Sessions',
        'Sign-ins, refused passwords, refreshed tokens, and sessions that ended because an old token was used again. Many refusals at once are guesses of passwords.',
        [line(rate(series('sessions_total'), 'event'), '{{event}}')],
        { unit: 'ops', runbook: 'sign-in-refusals' },
      ),
      graph(
        'Mail',
        'Mails by result. Failed ones are sent again for a day. Limited ones are not sent, because their recipient got too many.',
        [line(rate(series('mails_total'), 'result'), '{{result}}')],
        { unit: 'ops', runbook: 'mail-failing' },
      ),
      graph(
        'Mails waiting',
        'Mails that wait in the queue. They grow when the mail server does not accept them.',
        [line(shared(series('mails_waiting')), 'waiting')],
        { limits: [100], runbook: 'mail-failing' },
      ),
    ),
    row(
      'Recordings',
      graph(
        'Requests for files',
        'Requests for recordings, captions and other files, by kind and result.',
        [line(rate(series('file_requests_total'), 'kind', 'result'), '{{kind}} {{result}}')],
        { unit: 'reqps', width: 12 },
      ),
      graph(
        'Bytes of files',
        'What listeners download, by kind.',
        [line(rate(series('file_bytes_total'), 'kind'), '{{kind}}')],
        { unit: 'Bps', isStacked: true, width: 12 },
      ),
    ),
  ],
});
