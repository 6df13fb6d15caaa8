/** Part of the key of every compiled model: raise it whenever the graphs for the same weights and options change. */
export const compilerVersion = '8';
