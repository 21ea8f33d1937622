/** Alert memory of a run: in this program, or in the file shared by all runs of this machine. */
import type { AlertKey } from '../../model/run/alert.ts'
import type { AlertMemory } from '../../model/run/alert-memory.ts'
import { alertMemoryFile, isDamaged, openAlertMemory, renameDamagedFile } from '../../stores/run-history.ts'

/** A memory that lasts as long as the program. */
export function memoryOfProgram(): AlertMemory {
  const standing = new Map<string, number>()
  const keyOf = ({ scope, cause, table }: AlertKey): string => JSON.stringify([scope, cause, table])
  return {
    begin: async (key, at) => {
      const since = standing.get(keyOf(key))
      if (since !== undefined) return { is: 'stands', since }
      standing.set(keyOf(key), at)
      return { is: 'new', since: at }
    },
    end: async (key) => {
      const since = standing.get(keyOf(key))
      standing.delete(keyOf(key))
      return since === undefined ? { is: 'none' } : { is: 'cleared', since }
    },
    sent: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/**
 * The memory of this machine, opened on first use. A damaged file is renamed and replaced by an empty one; if no file
 * can be used, alerts are remembered until the program ends. Calls never reject.
 * @param folder folder of the run history
 * @param say called with a problem of the file, as text
 */
export function memoryOfMachine(folder: string, say: (what: string) => void): AlertMemory {
  const file = alertMemoryFile(folder)
  const own = memoryOfProgram()
  let opened: AlertMemory | null = null
  let isLost = false

  async function close(): Promise<void> {
    const known = opened
    opened = null
    await known?.[Symbol.asyncDispose]().then(undefined, () => undefined)
  }

  async function asked<T>(question: (memory: AlertMemory) => Promise<T>, tries = 0): Promise<T> {
    if (isLost) return await question(own)
    try {
      opened ??= await openAlertMemory(file)
      return await question(opened)
    } catch (error) {
      await close()
      if (isDamaged(error) && tries < 2) {
        // Another program may have replaced the file meanwhile, so the path is opened again. The file is renamed only
        // if it is damaged both times.
        if (tries === 1) {
          renameDamagedFile(file)
          say(`${file} was damaged and was renamed: open alerts are sent again`)
        }
        return await asked(question, tries + 1)
      }
      isLost = true
      const why = error instanceof Error ? error.message : String(error)
      say(`the open alerts cannot be stored, so the next run sends them again: ${file}: ${why}`)
      return await question(own)
    }
  }

  return {
    begin: async (key, at) => await asked((memory) => memory.begin(key, at)),
    end: async (key) => await asked((memory) => memory.end(key)),
    sent: async (key, state) => await asked((memory) => memory.sent(key, state)),
    [Symbol.asyncDispose]: close,
  }
}
