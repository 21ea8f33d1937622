/** Private folders for temporary files with rows. Those of killed programs are removed by the next program. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, thisProcess } from './owner.ts'

/** Prefix of spool folders. Includes the host name, because several machines may share a folder. */
const SPOOL_PREFIX = `sluice-archive-${short(hostname())}-`
/** Digest of the machine id, because containers may have equal host names and pids; null without a machine id. */
const MACHINE = thisProcess().machine === null ? null : short(thisProcess().machine ?? '')
/** Suffix of a spool folder: digest of the machine id, which older versions did not write, and pid. */
const SPOOL_REST = /^(?:([0-9a-f]{8})-)?(\d+)-/
/** Age after which a folder is removed if it is unknown whether its program is running, ms. */
const SPOOL_FORGOTTEN_MS = 7 * 86_400_000

/**
 * Creates a private folder for files of a bucket, spilled data of an engine, or a file that is being written. The
 * caller removes it. Removes folders of killed programs, which may be as large as a partition.
 */
export async function makeSpool(root = tmpdir()): Promise<string> {
  for (const name of await readdir(root)) {
    // Folders of other users cannot be removed.
    if (await isAbandoned(root, name))
      await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined)
  }
  return mkdtemp(join(root, `${SPOOL_PREFIX}${MACHINE === null ? '' : `${MACHINE}-`}${process.pid}-`))
}

async function isAbandoned(root: string, name: string): Promise<boolean> {
  const [, machine = MACHINE, pid] =
    (name.startsWith(SPOOL_PREFIX) ? SPOOL_REST.exec(name.slice(SPOOL_PREFIX.length)) : null) ?? []
  if (pid === undefined) return false
  if (machine === MACHINE) return !isAlive(Number(pid))
  const touched = await stat(join(root, name)).catch(() => null)
  return touched !== null && Date.now() - touched.mtimeMs > SPOOL_FORGOTTEN_MS
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
