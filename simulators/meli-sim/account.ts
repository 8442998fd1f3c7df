/** A seller account. `grant` is what the app holds for it; tokens are kept as SHA-256 only. */
export interface Account {
  user_id: number
  nickname: string
  email: string
  site_id: string
  registration_date: string
  /** Several warehouses: stock is written per user product, with a version. */
  user_product_seller: boolean
  /** Full and Flex together: own stock at the selling address beside what MercadoLibre stores. */
  full_and_flex: boolean
  /** A collaborator of the main user: may not authorize an app (`invalid_operator_user_id`). */
  collaborator: boolean
  /** The seller must complete data: every grant answers `invalid_grant`. */
  incomplete: boolean
  scopes: string[]
  grant: Grant | null
}

interface Grant {
  access: AccessToken[]
  /** The one refresh token that works; older ones are spent. */
  refresh: { sha256: string; expiresAtMs: number } | null
}

export interface AccessToken {
  sha256: string
  expiresAtMs: number
  scopes: string[]
}

export interface AuthorizationCode {
  sha256: string
  userId: number
  redirectUri: string
  challenge: string | null
  method: 'S256' | 'plain' | null
  expiresAtMs: number
  used: boolean
}

/** Answer of `GET /users/me`. */
export function userView(account: Account): Record<string, unknown> {
  const tags = ['normal', 'mshops', ...(account.user_product_seller ? ['user_product_seller', 'warehouse_management'] : [])]
  return {
    id: account.user_id,
    nickname: account.nickname,
    registration_date: account.registration_date,
    first_name: account.nickname,
    last_name: '',
    country_id: 'CL',
    email: account.email,
    address: { city: 'Santiago', state: 'CL-RM' },
    user_type: 'normal',
    tags,
    logo: null,
    points: 0,
    site_id: account.site_id,
    permalink: `http://perfil.mercadolibre.cl/${account.nickname}`,
    seller_experience: 'ADVANCED',
    status: { site_status: 'active', confirmed_email: true },
  }
}
