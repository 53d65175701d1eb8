import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Makes a metric in the registries. */
export type Make<Metric> = (registers: Registry[]) => Metric;

/**
 * A counter whose name has the prefix `talebank_`.
 * @param help the description that Prometheus shows
 */
export const counter =
  <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Make<Counter<Label>> =>
  (registers) =>
    new Counter({ name: `talebank_${name}`, help, labelNames, registers });

/**
 * A gauge whose name has the prefix `talebank_`.
 * @param help the description that Prometheus shows
 */
export const gauge =
  <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Make<Gauge<Label>> =>
  (registers) =>
    new Gauge({ name: `talebank_${name}`, help, labelNames, registers });

/**
 * A histogram whose name has the prefix `talebank_`.
 * @param help the description that Prometheus shows
 * @param buckets the upper bounds, ascending, in the unit of the metric
 */
export const histogram =
  <Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ): Make<Histogram<Label>> =>
  (registers) =>
    new Histogram({ name: `talebank_${name}`, help, labelNames, registers, buckets });

/** From a millisecond to ten seconds. */
export const SHORT_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** From a hundredth of a second to an hour. */
export const LONG_SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3600];
