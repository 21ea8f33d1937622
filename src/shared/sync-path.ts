import { open } from 'node:fs/promises'

/** Makes all bytes of a file durable, whichever program wrote them; for a folder, the names in it. */
export async function syncPath(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}
