/** Work that many ask for, and that is done once for all who ask while it goes on. */

/** @param body does not reject @returns asks for it: it begins at once, or once more when what goes on has ended */
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
