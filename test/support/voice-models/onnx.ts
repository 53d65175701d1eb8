/**
 * Writes ONNX files, as far as the test's own models need them.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */

/** A field of a protobuf message: a whole number is a varint, everything else has a length in front. */
type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}

const message = (fields: readonly Field[]): Uint8Array =>
  Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number') return [varint(number << 3), varint(value)];
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      return [varint((number << 3) | 2), varint(bytes.length), bytes];
    }),
  );

const FLOAT = 1;
const INT64 = 7;
const BOOL = 9;
export const ELEMENT = { float: FLOAT, int64: INT64, bool: BOOL } as const;
export type Element = keyof typeof ELEMENT;

/** A constant. @param dims [] for a scalar */
export function tensor(
  name: string,
  element: Element,
  dims: readonly number[],
  values: readonly number[],
): Uint8Array {
  const raw =
    element === 'float'
      ? Buffer.from(Float32Array.from(values).buffer)
      : element === 'int64'
        ? Buffer.from(BigInt64Array.from(values, BigInt).buffer)
        : Buffer.from(Uint8Array.from(values));
  return message([
    ...dims.map((dim): Field => [1, dim]),
    [2, ELEMENT[element]],
    [8, name],
    [9, raw],
  ]);
}

/** An input or output. @param dims a name for a length that is not known before */
export const value = (
  name: string,
  element: Element,
  dims: readonly (number | string)[],
): Uint8Array => {
  const shape = dims.map((dim): Field => [
    1,
    message([typeof dim === 'number' ? [1, dim] : [2, dim]]),
  ]);
  const tensorType = message([
    [1, ELEMENT[element]],
    [2, message(shape)],
  ]);
  return message([
    [1, name],
    [2, message([[1, tensorType]])],
  ]);
};

const INT_ATTRIBUTE = 2;
const GRAPH_ATTRIBUTE = 5;

export const node = (
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, number | Uint8Array>> = {},
): Uint8Array =>
  message([
    ...inputs.map((input): Field => [1, input]),
    ...outputs.map((output): Field => [2, output]),
    [4, operator],
    ...Object.entries(attributes).map(([name, given]): Field => [
      5,
      typeof given === 'number'
        ? message([
            [1, name],
            [3, given],
            [20, INT_ATTRIBUTE],
          ])
        : message([
            [1, name],
            [6, given],
            [20, GRAPH_ATTRIBUTE],
          ]),
    ]),
  ]);

export interface Graph {
  readonly nodes: readonly Uint8Array[];
  readonly constants?: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

export const graph = ({ nodes, constants = [], inputs, outputs }: Graph): Uint8Array =>
  message([
    ...nodes.map((one): Field => [1, one]),
    [2, 'graph'],
    ...constants.map((one): Field => [5, one]),
    ...inputs.map((one): Field => [11, one]),
    ...outputs.map((one): Field => [12, one]),
  ]);

const IR_VERSION = 8;
const OPERATORS_VERSION = 13;

/** @param metadata what engines read from the file, for example `sample_rate` */
export const model = (
  made: Uint8Array,
  metadata: Readonly<Record<string, string | number>>,
): Uint8Array =>
  message([
    [1, IR_VERSION],
    [2, 'test'],
    [7, made],
    [8, message([[2, OPERATORS_VERSION]])],
    ...Object.entries(metadata).map(([key, given]): Field => [
      14,
      message([
        [1, key],
        [2, String(given)],
      ]),
    ]),
  ]);
