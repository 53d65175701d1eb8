export function machineClock(): Record<string, string>;
export declare const V8_FLAGS: readonly string[];
