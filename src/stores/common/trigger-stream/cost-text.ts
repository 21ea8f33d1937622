/**
 * Text on the time of a write with triggers. If the measured time is not longer than without triggers, the text only
 * reports that the measured times vary by more than the triggers cost.
 * @param what what fires @param without time of one write without triggers @param noted time with triggers
 * @param text formats a time
 */
export function costText(
  what: 'trigger' | 'triggers',
  without: number,
  noted: number,
  text: (time: number) => string,
): string {
  return noted > without
    ? `with the ${what} ${text(noted)}`
    : `and the ${what} add${what === 'trigger' ? 's' : ''} less than the variation of the measured times (${text(noted)} with the ${what})`
}
