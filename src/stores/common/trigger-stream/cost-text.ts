/**
 * Text: what noting costs a write, compared with a write without it. On a busy machine the measured times vary by more
 * than that.
 * @param what fires @param without time of one write without triggers @param noted time with them @param text formats a
 * time
 */
export function costText(
  what: 'trigger' | 'triggers',
  without: number,
  noted: number,
  text: (time: number) => string,
): string {
  return noted > without
    ? `with the ${what} ${text(noted)}`
    : `and what the ${what} add${what === 'trigger' ? 's' : ''} is less than the variation of the measured times (${text(noted)} with)`
}
