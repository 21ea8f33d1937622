/** Work that is requested repeatedly, and that is done once for all requests during one execution. */

/**
 * @param body does not reject
 * @returns a function that requests it: it begins at once, or once more after the current execution
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
