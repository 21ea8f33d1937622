/** Tokens of closings: each names its cutover and the fencing token of its program. */

/** @param fence fencing token of the stream @param tries number of the attempt */
export function attemptToken(id: string, fence: number, tries: number): string {
  return `${id}_${fence}_${tries}`
}

/** Token of the guard of a table that a cutover will open. */
export function targetToken(id: string): string {
  return `target_${id}`
}

/**
 * True if a closing belongs to a cutover of another stream, or to a program that has taken the stream since.
 * @param cutovers ids of all cutovers of the stream, as `BetweenLedger.closings` returns them
 * @param fence fencing token of the program that asks; absent: closings of all programs of this stream return false
 */
export function isForeignToken(token: string, cutovers: ReadonlySet<string>, fence = Infinity): boolean {
  const [, id, by] = /^(?:target_)?(\d+)(?:_(\d+)_\d+)?$/.exec(token) ?? []
  return id !== undefined && !(cutovers.has(id) && Number(by) <= fence)
}
