/**
 * What noting costs a write, beside what a write takes without it. Where the machine is busy, the measured times scatter by more than that.
 * @param what fires @param without, noted times of one write @param text of a time
 */
export function costText(
  what: 'trigger' | 'triggers',
  without: number,
  noted: number,
  text: (time: number) => string,
): string {
  return noted > without
    ? `with the ${what} ${text(noted)}`
    : `and what the ${what} add${what === 'trigger' ? 's' : ''} is less than these times scatter (${text(noted)} with)`
}
