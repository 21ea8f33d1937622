/** The folder of the sockets of this user's runs on this machine. */
import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Ids of the runs with sockets in the folder, newest first; killed runs leave their sockets behind. */
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

/** Age up to which a socket may not accept connections yet, although its run is alive, ms. */
const YOUNG_MS = 10_000

/** Removes a socket that refused a connection: its run was killed and cannot remove it. Never throws. */
export function removeDead(socketPath: string): void {
  try {
    const found = lstatSync(socketPath)
    if (found.isSocket() && Date.now() - found.mtimeMs > YOUNG_MS) rmSync(socketPath)
  } catch {
    // Another program has removed the socket, or this user has no right to remove it: ignore the error.
  }
}

/**
 * Refuses a folder in which another user could impersonate a run.
 * @throws SluiceError TARGET_DENIED if the folder, or a link in its place, has another owner, or others may write to it
 */
export function refuseOtherOwner(folder: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false })
  const me = process.getuid?.()
  if (found === undefined || me === undefined) return
  if (found.uid !== me) {
    throw new SluiceError('TARGET_DENIED', 'the folder of control sockets belongs to another user', {
      where: folder,
      hint: 'run sluice as the user who started the run, or set XDG_RUNTIME_DIR',
    })
  }
  if (found.isDirectory() && (found.mode & WRITABLE_BY_OTHERS) === 0) return
  throw new SluiceError('TARGET_DENIED', 'other users may write to the folder of control sockets', {
    where: folder,
    hint: `chmod 700 ${folder}, or set XDG_RUNTIME_DIR`,
  })
}

/**
 * Makes the folder, or makes an existing one private to this user. In a folder that another user created first, that
 * user could replace the sockets, even if their permissions are correct, or connect to them by inherited permissions.
 * @throws SluiceError TARGET_DENIED, or the file system's error
 */
export function makeSocketFolder(folder: string): void {
  makeFolderSync(folder, 0o700)
  const found = lstatSync(folder)
  // This user owns the folder, so no other user can have replaced it. Only its permissions are too wide: correct them.
  if (found.uid === process.getuid?.() && found.isDirectory() && (found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
  refuseOtherOwner(folder)
}

/** @param id id that the user gave */
export function noSuchLocalRun(id: string, where: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `run ${id} is not running on this machine`, {
    where,
    hint: 'give the id of the run, not of its stream: sluice ctl lists the runs of this user on this machine; to steer a run of another machine, run the command on that machine',
  })
}
