import {
  dashboard,
  graph,
  line,
  number,
  percentiles,
  quantile,
  rate,
  recent,
  row,
  series,
  share,
  shared,
  textVariable,
  total,
  words,
} from './builder.mjs';

const requests = (...matchers) => series('speech_requests_total', ...matchers);
const spoken = series('speech_seconds_total');
const sentences = (...matchers) => series('narration_sentences_total', ...matchers);
const PRICE = '($price_per_second + $price_per_1000_characters / 1000 * $characters_per_second)';
const reused = share(total(sentences('result="reused"')), total(sentences()));

export default dashboard({
  uid: 'providers',
  title: 'providers and cost',
  description:
    'Requests to the speech provider, its failures and rests, what is reused, and what it costs.',
  variables: [
    textVariable(
      'price_per_1000_characters',
      'Price of 1,000 characters',
      'What the provider charges for 1,000 characters. 0 if it charges by the second, or nothing.',
      '0',
    ),
    textVariable(
      'price_per_second',
      'Price of a second',
      'What the provider charges for a second of speech. 0 if it charges by characters, or nothing.',
      '0',
    ),
    textVariable(
      'characters_per_second',
      'Characters of a second',
      'How many characters are spoken in a second. Some 15 in English. It turns seconds of speech into characters.',
      '15',
    ),
  ],
  rows: [
    row(
      'Now',
      number(
        'Resting',
        'Whether a provider is not used because it keeps failing.',
        shared(series('speech_provider_resting')),
        {
          mappings: words('no', 'resting'),
          limits: [1],
          runbook: 'provider-resting',
        },
      ),
      number(
        'Failures',
        'Sentences that failed as a share of all that were sent.',
        share(recent(requests('result!="ok"')), recent(requests())),
        { unit: 'percentunit', limits: [0.02, 0.2], runbook: 'provider-failing' },
      ),
      number(
        'p95 of a sentence',
        'Nineteen of twenty sentences are answered within this time.',
        quantile(0.95, series('speech_request_duration_seconds_bucket')),
        {
          unit: 's',
          limits: [5, 15],
        },
      ),
      number(
        'Speech',
        'Seconds of speech that were received in the chosen period.',
        total(spoken),
        { unit: 's' },
      ),
      number(
        'Reused',
        'Sentences that were stored already, as a share of all. They cost nothing.',
        reused,
        {
          unit: 'percentunit',
        },
      ),
      number(
        'Cost',
        'Seconds of speech in the chosen period times the price that is set above. It is an estimate: the bill of the provider counts.',
        `sum (increase(${spoken}[$__range])) * ${PRICE}`,
        { unit: 'none', runbook: 'provider-dearer' },
      ),
    ),
    row(
      'Requests',
      graph(
        'Sentences sent',
        'Sentences a second that were sent to the provider, by result.',
        [line(rate(requests(), 'provider', 'result'), '{{provider}} {{result}}')],
        { unit: 'reqps', runbook: 'provider-failing' },
      ),
      graph(
        'Failures',
        'Failed sentences as a share of all, by provider.',
        [
          line(
            share(rate(requests('result!="ok"'), 'provider'), rate(requests(), 'provider')),
            '{{provider}}',
          ),
        ],
        { unit: 'percentunit', limits: [0.02, 0.2], runbook: 'provider-down' },
      ),
      graph(
        'Duration of a sentence',
        'The time from sending a sentence to its last sample.',
        percentiles(series('speech_request_duration_seconds_bucket')),
        {
          unit: 's',
          limits: [5, 15],
        },
      ),
      graph(
        'Resting',
        '1 while a process does not use the provider. After each rest one sentence is tried.',
        [
          line(
            `max by (instance, provider) (${series('speech_provider_resting')})`,
            '{{instance}} {{provider}}',
          ),
        ],
        { max: 1, runbook: 'provider-down' },
      ),
      graph('Seconds of speech', 'Seconds of speech received a second, by provider.', [
        line(rate(spoken, 'provider'), '{{provider}}'),
      ]),
      graph(
        'Sentences spoken and reused',
        'Sentences a second that were spoken, and stored ones that were reused.',
        [line(rate(sentences(), 'result'), '{{result}}')],
        { unit: 'ops', isStacked: true },
      ),
    ),
    row(
      'Cost and reuse',
      graph(
        'Cost a day',
        'What a day would cost at the rate of each moment, by provider, with the prices that are set above.',
        [
          line(
            `sum by (provider) (rate(${spoken}[$__rate_interval])) * 86400 * ${PRICE}`,
            '{{provider}}',
          ),
        ],
        { unit: 'none', runbook: 'provider-dearer' },
      ),
      graph(
        'Cost of a narration',
        'The cost of the speech for each narration that was made, with the prices that are set above.',
        [
          line(
            share(
              `sum (rate(${spoken}[$__rate_interval])) * ${PRICE}`,
              rate(series('narrations_total', 'result="made"')),
            ),
            'a narration',
          ),
        ],
        { unit: 'none', runbook: 'provider-dearer' },
      ),
      graph(
        'Share that is reused',
        'Narrations that were shared with an earlier listener, and sentences that were reused, as shares of all. Neither costs anything.',
        [
          line(
            share(
              rate(series('narrations_total', 'result="shared"')),
              rate(series('narrations_total', 'result=~"made|shared"')),
            ),
            'narrations',
          ),
          line(share(rate(sentences('result="reused"')), rate(sentences())), 'sentences'),
        ],
        { unit: 'percentunit', max: 1 },
      ),
    ),
  ],
});
