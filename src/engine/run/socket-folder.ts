/** The folder of the sockets of this user's runs on this machine. */
import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Ids of the runs whose sockets stand in the folder, newest first; some may have been left behind by runs that were killed. */
export function runsIn(folder: string): readonly string[] {
  let names: readonly string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names
    .flatMap((name) => /^run-(\d+)\.sock$/.exec(name)?.[1] ?? [])
    .toSorted((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1))
}

const WRITABLE_BY_OTHERS = 0o022

/** A socket is made and listened at in two steps: one as young as this may be between them, ms. */
const YOUNG_MS = 10_000

/** Removes a socket that refused a connection: the run that made it was killed, and nobody else takes it away. Never throws. */
export function removeDead(socketPath: string): void {
  try {
    const found = lstatSync(socketPath)
    if (found.isSocket() && Date.now() - found.mtimeMs > YOUNG_MS) rmSync(socketPath)
  } catch {
    // Somebody was faster, or it may not be removed: it is passed over all the same.
  }
}

/**
 * In a folder that all may write to, another user could stand in for a run.
 * @throws SluiceError TARGET_DENIED where the folder, or a link in its place, is somebody else's, or others may write to it
 */
export function refuseStranger(folder: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false })
  const me = process.getuid?.()
  if (found === undefined || me === undefined) return
  if (found.uid !== me) {
    throw new SluiceError('TARGET_DENIED', 'the folder of control sockets belongs to somebody else', {
      where: folder,
      hint: 'run sluice as the user who started the run, or set XDG_RUNTIME_DIR',
    })
  }
  if (found.isDirectory() && (found.mode & WRITABLE_BY_OTHERS) === 0) return
  throw new SluiceError('TARGET_DENIED', 'others may write to the folder of control sockets', {
    where: folder,
    hint: `chmod 700 ${folder}, or set XDG_RUNTIME_DIR`,
  })
}

/**
 * The folder as a run needs it: made, or found and this user's alone from now on. One that somebody else has made beforehand would give him the sockets in it,
 * whatever their own rights say: he could exchange them, and rights that are inherited in it let him in.
 * @throws SluiceError TARGET_DENIED, or the file system's error
 */
export function makeSocketFolder(folder: string): void {
  makeFolderSync(folder, 0o700)
  const found = lstatSync(folder)
  // What is ours and too open was opened by hand, and nobody else can have exchanged it.
  if (found.uid === process.getuid?.() && found.isDirectory() && (found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
  refuseStranger(folder)
}

/** @param id as it was asked for */
export function noSuchRun(id: string, where: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `no run ${id} goes on here`, {
    where,
    hint: 'the number of the run is meant, which is not that of its stream: sluice ctl lists the runs of this user on this machine; one on another machine is steered there',
  })
}
