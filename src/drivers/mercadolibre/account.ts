import { z } from 'zod'
import { type MeliClient, readAnswer } from './client.ts'
import { NumericId } from './lossless-json.ts'

const Me = z.object({ id: NumericId, nickname: z.string().max(200).nullish(), site_id: z.string().max(10).nullish() })

/** The account as MercadoLibre names it: whose token this is. Nothing personal is read. */
export async function readAccount(client: MeliClient): Promise<{ id: string; nickname: string; site: string }> {
  const { id, nickname, site_id } = readAnswer(Me, await client.call({ method: 'GET', path: '/users/me' }))
  return { id, nickname: nickname ?? '', site: site_id ?? '' }
}
