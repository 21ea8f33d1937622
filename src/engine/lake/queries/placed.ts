/** What somebody means who types a path or a URL: a lake, or a database, which may be a file. */
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isS3Url, parseLakeUrl } from '../../../model/lake/lake-url.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { openLakeStore } from '../../run/registry.ts'
import { isCatalogUrl, isCopyUrl, systemOfFile } from '../../run/systems.ts'
import type { Placed } from '../../../model/lake/answers.ts'

/** @throws SluiceError NO_SUCH_PATH, UNSUPPORTED_URL for what is neither */
export async function placedAt(text: string): Promise<Placed> {
  if (isCopyUrl(text) || isCatalogUrl(text)) return { kind: 'database', url: text }
  const place = parseLakeUrl(text)
  if (isS3Url(text) || place.kind !== 'local') return { kind: 'lake', url: text }
  const found = statSync(place.path, { throwIfNoEntry: false })
  if (found === undefined) {
    const hint = 'give a folder with tables, a database file, or a URL such as postgresql://user@host/database'
    throw new SluiceError('NO_SUCH_PATH', `nothing is at ${text}`, { hint })
  }
  if (found.isDirectory()) return { kind: 'lake', url: text }
  const file = resolve(place.path)
  const head = (await openLakeStore(dirname(file))).databaseFile(file)?.head ?? null
  const system = head === null ? null : systemOfFile(head)
  if (system !== null) return { kind: 'database', url: `${system.schemes[0]}:///${file}` }
  throw new SluiceError('UNSUPPORTED_URL', `${text} is a file, and no database that sluice reads`, {
    hint: 'give the folder that holds the tables',
  })
}
