/** An earlier time was never set: a board without a real-time clock begins in 1970, or when its image was made. */
export const unsetClockBeforeMs = Date.UTC(2026, 0, 1);
