/** Loaded into a server before it starts: counting does nothing, so that the cost of counting can be measured. */
import { Counter, Gauge, Histogram } from 'prom-client';

const nothing = (): void => undefined;
const silent = { inc: nothing, dec: nothing, set: nothing, observe: nothing };
Counter.prototype.inc = nothing;
Gauge.prototype.inc = nothing;
Gauge.prototype.dec = nothing;
Gauge.prototype.set = nothing;
Histogram.prototype.observe = nothing;
Histogram.prototype.startTimer = () => () => 0;
for (const kind of [Counter, Gauge, Histogram])
  Object.assign(kind.prototype, { labels: () => silent });
