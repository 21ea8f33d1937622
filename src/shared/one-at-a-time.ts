/** Work that is requested repeatedly: all requests during one execution cause one more execution. */

/**
 * @param body does not reject
 * @returns a function that requests the work: `body` begins at once, or once more after the current execution
 */
export function oneAtATime(body: () => Promise<void>): () => void {
  let isOn = false
  let isWanted = false
  const work = async (): Promise<void> => {
    isOn = true
    do {
      isWanted = false
      await body()
    } while (isWanted)
    isOn = false
  }
  return () => {
    isWanted = true
    if (!isOn) void work()
  }
}
