/** After an abort, work that does not end is abandoned; work that ends is awaited. */
import { expect, it } from 'vitest'
import { unlessStuck } from '../../src/app/run.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const never = new Promise<string>(() => undefined)

it('work that does not end is abandoned after an abort', async () => {
  const abort = new AbortController()
  const end = unlessStuck(never, abort.signal, 1)
  abort.abort(new SluiceError('ABORTED', 'asked'))
  await expect(end).rejects.toMatchObject({ code: 'ABORTED' })
  await expect(unlessStuck(never, abort.signal, 1)).rejects.toMatchObject({ code: 'ABORTED' })
})

it('work that ends keeps its result or its error', async () => {
  const abort = new AbortController()
  abort.abort(new SluiceError('ABORTED', 'asked'))
  expect(await unlessStuck(Promise.resolve('done'), abort.signal)).toBe('done')
  await expect(unlessStuck(Promise.reject(new Error('broken')), abort.signal)).rejects.toThrow('broken')
})
