/** Stores the UI state per lake and catalog: a small file in the state folder, replaced as a whole. */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { redactUrl } from '../../shared/redact.ts'
import { stateFolder } from '../../shared/state-folder.ts'

/** Largest file accepted, bytes. */
const MOST_BYTES = 1_000_000

/** Reads and writes the stored UI state. */
export type UiMemory = { read(): unknown; write(value: unknown): void }

function removeFile(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // If it cannot be removed, the temporary file stays.
  }
}

/** @param of the open lake, catalog and database; passwords are not part of the file name */
export function uiMemory(of: readonly (string | null)[], env: Readonly<Record<string, string | undefined>>): UiMemory {
  const place = of.map((one) => (one === null ? '' : one.includes('://') ? redactUrl(one) : path.resolve(one)))
  const name = createHash('sha256').update(JSON.stringify(place)).digest('hex').slice(0, 16)
  const folder = path.join(stateFolder(env), 'places')
  const file = path.join(folder, `${name}.json`)
  return {
    read: () => {
      try {
        const text = readFileSync(file, 'utf8')
        return text.length > MOST_BYTES ? null : (JSON.parse(text) as unknown)
      } catch {
        return null
      }
    },
    write: (value) => {
      const temporaryFile = `${file}.${process.pid}`
      try {
        makeFolderSync(folder, 0o700)
        writeFileSync(temporaryFile, `${JSON.stringify({ place, ...(value as object) })}\n`, { mode: 0o600 })
        renameSync(temporaryFile, file)
      } catch {
        // A full disk must not end the UI; the state is just not kept.
        removeFile(temporaryFile)
      }
    },
  }
}
