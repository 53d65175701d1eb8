import { setFlagsFromString } from 'node:v8';
import vm from 'node:vm';
import { TestEnvironment } from 'jest-environment-node';
import { WASM_FLAG } from './machine.js';

// Each test file that opens the services loads the WebAssembly of Prisma's query compiler, too.
setFlagsFromString(WASM_FLAG);

/**
 * Jest's environment for Node, with an ordinary global object. Jest gives its context a proxy as the global object, so
 * each use of a global name, for example `Math` or `String`, calls the traps of the proxy. That multiplies the
 * processor time of what runs inside of a test.
 */
export default class extends TestEnvironment {
  constructor(...args) {
    const { createContext } = vm;
    vm.createContext = () => createContext(vm.constants.DONT_CONTEXTIFY);
    try {
      super(...args);
    } finally {
      vm.createContext = createContext;
    }
  }
}
