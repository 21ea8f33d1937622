/** A private folder for files on their way to or from a bucket, and for what the engine spills. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, thisProcess } from '../../shared/owner.ts'

/** Of this host name: several machines may share a folder. */
const PREFIX = `sluice-archive-${short(hostname())}-`
/** Containers of one host name have other processes under the same numbers; null where the system does not tell. */
const MACHINE = thisProcess().machine === null ? null : short(thisProcess().machine ?? '')
/** The machine, which older programs do not name, and the number of a process. */
const REST = /^(?:([0-9a-f]{8})-)?(\d+)-/
/** When a folder of which nobody can tell whether its program lives is taken for a dead one's, ms. */
const FORGOTTEN_MS = 7 * 86_400_000

/** Makes one, and removes those of programs that were killed: they may be as large as a partition. */
export async function makeSpool(root = tmpdir()): Promise<string> {
  for (const name of await readdir(root)) {
    // Of another user's, nothing is ours to remove.
    if (await isAbandoned(root, name))
      await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined)
  }
  return mkdtemp(join(root, `${PREFIX}${MACHINE === null ? '' : `${MACHINE}-`}${process.pid}-`))
}

async function isAbandoned(root: string, name: string): Promise<boolean> {
  const [, machine = MACHINE, pid] = (name.startsWith(PREFIX) ? REST.exec(name.slice(PREFIX.length)) : null) ?? []
  if (pid === undefined) return false
  if (machine === MACHINE) return !isAlive(Number(pid))
  const touched = await stat(join(root, name)).catch(() => null)
  return touched !== null && Date.now() - touched.mtimeMs > FORGOTTEN_MS
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
