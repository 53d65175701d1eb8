export function machineClock(): Record<string, string>;
export declare const WASM_FLAG: string;
export declare const V8_FLAGS: readonly string[];
