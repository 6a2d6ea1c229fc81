"""The data contracts of the APIs.

A service that needs a part of them depends on that part: ``//shared/dtos:user``.
"""

from shared.dtos.auth import (
    EmailVerificationRequestDTO,
    EmailVerificationResendRequestDTO,
    PasswordChangeDTO,
    PasswordResetConfirmDTO,
    PasswordResetRequestDTO,
    RefreshTokenRequestDTO,
    TokenPairResponseDTO,
)
from shared.dtos.base import (
    BaseDTO,
    BaseResponseDTO,
    BaseUpdateDTO,
    NotNull,
    with_examples,
)
from shared.dtos.common import (
    Cursor,
    CursorValue,
    ErrorDetail,
    Page,
    PageQuery,
    StatusResponse,
    decode_cursor,
    encode_cursor,
)
from shared.dtos.generation import (
    GeneratedAssetDTO,
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatus,
    GenerationStatusResponseDTO,
)
from shared.dtos.project import (
    BrandColorDTO,
    BrandFontDTO,
    BrandKitCreateDTO,
    BrandKitResponseDTO,
    BrandKitUpdateDTO,
    BrandLogoDTO,
    ProjectCreateDTO,
    ProjectResponseDTO,
    ProjectUpdateDTO,
)
from shared.dtos.team import (
    TeamCreateDTO,
    TeamMemberInviteDTO,
    TeamMemberResponseDTO,
    TeamResponseDTO,
    TeamRole,
    TeamUpdateDTO,
)
from shared.dtos.user import (
    TokenResponseDTO,
    UserCreateDTO,
    UserLoginDTO,
    UserResponseDTO,
    UserUpdateDTO,
)

__all__ = [
    "BaseDTO",
    "BaseResponseDTO",
    "BaseUpdateDTO",
    "BrandColorDTO",
    "BrandFontDTO",
    "BrandKitCreateDTO",
    "BrandKitResponseDTO",
    "BrandKitUpdateDTO",
    "BrandLogoDTO",
    "Cursor",
    "CursorValue",
    "EmailVerificationRequestDTO",
    "EmailVerificationResendRequestDTO",
    "ErrorDetail",
    "GeneratedAssetDTO",
    "GenerationCreateRequestDTO",
    "GenerationCreateResponseDTO",
    "GenerationStatus",
    "GenerationStatusResponseDTO",
    "NotNull",
    "Page",
    "PageQuery",
    "PasswordChangeDTO",
    "PasswordResetConfirmDTO",
    "PasswordResetRequestDTO",
    "ProjectCreateDTO",
    "ProjectResponseDTO",
    "ProjectUpdateDTO",
    "RefreshTokenRequestDTO",
    "StatusResponse",
    "TeamCreateDTO",
    "TeamMemberInviteDTO",
    "TeamMemberResponseDTO",
    "TeamResponseDTO",
    "TeamRole",
    "TeamUpdateDTO",
    "TokenPairResponseDTO",
    "TokenResponseDTO",
    "UserCreateDTO",
    "UserLoginDTO",
    "UserResponseDTO",
    "UserUpdateDTO",
    "decode_cursor",
    "encode_cursor",
    "with_examples",
]
